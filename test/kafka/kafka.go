package kafka

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-io/millrace/cluster"
)

// Version is the release of Apache Kafka that is started.
const Version = "4.3.0"

//go:embed pom.xml
var pom []byte

// A Broker is a running Apache Kafka, alone in its cluster.
type Broker struct {
	// Bootstrap is its address, host:port.
	Bootstrap string
	// Dir holds its data and its log.
	Dir    string
	libs   string
	server *exec.Cmd // nil while it is stopped
}

// Start runs one broker until the test ends. Properties are lines of
// server.properties that come after, and so win over, those it needs.
func Start(t testing.TB, properties ...string) *Broker {
	t.Helper()
	b := &Broker{Dir: t.TempDir(), libs: libs(t)}
	clients, controller := freePort(t), freePort(t)
	b.Bootstrap = fmt.Sprintf("127.0.0.1:%d", clients)
	b.configure(t, clients, controller, properties)
	b.format(t)
	t.Cleanup(func() { b.end(t) })
	b.Run(t)
	return b
}

// Data is the directory that holds its partitions.
func (b *Broker) Data() string { return b.path("data") }

// Stop ends the broker in order, so that others may look at its data. Run
// starts it again.
func (b *Broker) Stop(t testing.TB) {
	t.Helper()
	if err := b.server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = b.server.Wait() // Java ends with 143 after a SIGTERM.
	b.server = nil
}

// Cluster is the profile by which clients reach the broker.
func (b *Broker) Cluster() cluster.Profile {
	return cluster.Profile{Name: "apache-kafka", Bootstrap: []string{b.Bootstrap}}
}

// libs resolves Kafka's jars once and returns the directory that holds them.
func libs(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "millrace", "kafka-"+Version)
	if jars, _ := filepath.Glob(filepath.Join(dir, "kafka_2.13-*.jar")); len(jars) > 0 {
		return dir
	}
	project := filepath.Join(t.TempDir(), "pom.xml")
	if err := os.WriteFile(project, pom, 0o644); err != nil {
		t.Fatal(err)
	}
	partial := dir + ".partial"
	out, err := exec.Command("mvn", "-q", "-B", "-f", project, "dependency:copy-dependencies", "-DoutputDirectory="+partial).CombinedOutput()
	if err != nil {
		t.Fatalf("resolve Apache Kafka %s with mvn: %v\n%s", Version, err, out)
	}
	if err := os.Rename(partial, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (b *Broker) path(name string) string { return filepath.Join(b.Dir, name) }

func (b *Broker) configure(t testing.TB, clients, controller int, properties []string) {
	t.Helper()
	lines := append([]string{
		"process.roles=broker,controller",
		"node.id=1",
		fmt.Sprintf("controller.quorum.voters=1@127.0.0.1:%d", controller),
		fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", clients, controller),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://127.0.0.1:%d", clients),
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs=" + b.path("data"),
		"offsets.topic.replication.factor=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
	}, properties...)
	b.write(t, "server.properties", strings.Join(lines, "\n")+"\n")
	b.write(t, "log4j2.properties", `rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c %m%n
`)
}

func (b *Broker) write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// heap is what KAFKA_HEAP_OPTS says, as for Kafka's own scripts, or enough for
// tests.
func heap() []string {
	if opts := os.Getenv("KAFKA_HEAP_OPTS"); opts != "" {
		return strings.Fields(opts)
	}
	return []string{"-Xmx512M", "-Xms512M"}
}

func (b *Broker) java(args ...string) *exec.Cmd {
	flags := heap()
	flags = append(flags, "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile="+b.path("log4j2.properties"), "-cp", b.libs+"/*")
	return exec.Command("java", append(flags, args...)...)
}

func (b *Broker) format(t testing.TB) {
	t.Helper()
	format := b.java("kafka.tools.StorageTool", "format", "-t", "bWlsbHJhY2UtdGVzdC0wMQ", "-c", b.path("server.properties"))
	if out, err := format.CombinedOutput(); err != nil {
		t.Fatalf("format Apache Kafka's directory: %v\n%s", err, out)
	}
}

// Run starts the broker on the data that it has.
func (b *Broker) Run(t testing.TB) {
	t.Helper()
	output, err := os.OpenFile(b.path("kafka.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	server := b.java("kafka.Kafka", b.path("server.properties"))
	server.Stdout, server.Stderr = output, output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	b.server = server
	b.await(t)
}

// end kills what runs, and shows what it said if the test has failed.
func (b *Broker) end(t testing.TB) {
	if b.server != nil {
		_ = b.server.Process.Kill() // it may have ended by itself
		_ = b.server.Wait()
	}
	if t.Failed() {
		text, _ := os.ReadFile(b.path("kafka.log"))
		t.Logf("Apache Kafka said:\n%s", text)
	}
}

// startBound is how long a broker may take to answer: several seconds alone,
// minutes where others use the cores.
const startBound = 3 * time.Minute

// await returns when the broker answers a metadata request.
func (b *Broker) await(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startBound)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for {
		_, err := kadm.NewClient(client).ListBrokers(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("Apache Kafka did not answer on %s: %v", b.Bootstrap, err)
		}
	}
}
