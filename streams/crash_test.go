package streams_test

const childEnv = "MILLRACE_STREAMS_TEST_CHILD"

func child() int { return 0 }
