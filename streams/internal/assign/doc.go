// Package assign spreads tasks over the members of a group.
//
// [Balancer] is the group protocol "millrace": the consumer protocol of Kafka's
// own clients, cooperative (KIP-429), in which a member gets tasks and so all
// input partitions of a task together. [Plan] decides, and is pure: a task
// stays where it is as long as the members are balanced, by count.
//
// A member's user data says which topology it runs, so that two applications
// with one id are noticed rather than given each other's tasks:
//
//	┌───────────┬────────────┐
//	│ version, 1│ hash, u64  │
//	└───────────┴────────────┘
package assign
