package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Dial opens a connection to a broker. The network is always "tcp" and the
// address what the cluster advertised or the profile named.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Profile says how to reach one cluster. Its conf tags make it an entry of
// profiles in the file of configuration.
type Profile struct {
	// Name is what configuration and messages call the cluster, "local" for
	// the broker of the same process. It has no meaning to the cluster.
	Name string `conf:"-"`
	// Bootstrap lists host:port addresses of any of its brokers.
	Bootstrap []string `conf:"bootstrap,required" doc:"host:port addresses of any brokers of the cluster."`
	// ClientID is sent with every request; "millrace" when empty.
	ClientID string `conf:"client_id" doc:"Sent with every request; millrace when empty."`
	// Rack is the client's rack, for fetching from the nearest replica
	// (KIP-392).
	Rack string `conf:"rack" doc:"The client's rack, to fetch from the nearest replica (KIP-392)."`
	// TLS encrypts connections; nil means plaintext.
	TLS *TLS `conf:"tls" doc:"Encrypts connections; plaintext without it."`
	// Auth authenticates connections by SASL; nil means anonymous.
	Auth *Auth `conf:"auth" doc:"Authenticates connections by SASL; anonymous without it."`
	// SchemaRegistry is the registry that belongs to the cluster.
	SchemaRegistry Registry `conf:"schema_registry" doc:"The registry that belongs to the cluster."`
	// Dial replaces the network, for a broker in the same process and for
	// tests. With it, TLS must be nil.
	Dial Dial `conf:"-"`
}

// TLS names the files of a TLS client.
type TLS struct {
	// CA is a PEM file with the roots to trust; the system's when empty.
	CA string `conf:"ca" doc:"PEM file with the roots to trust; the system's when empty."`
	// Cert and Key are PEM files of a client certificate, both or neither.
	Cert string `conf:"cert" doc:"PEM file of a client certificate."`
	Key  string `conf:"key" doc:"PEM file of its key."`
	// ServerName is checked against the certificate instead of the address.
	ServerName string `conf:"server_name" doc:"Checked against the certificate instead of the address."`
	// Insecure accepts any certificate.
	Insecure bool `conf:"insecure" doc:"Accept any certificate."`
}

// Auth is a SASL login.
type Auth struct {
	// Type is plain, scram-sha-256 or scram-sha-512.
	Type string `conf:"type,required" enum:"plain|scram-sha-256|scram-sha-512" doc:"SASL mechanism."`
	// Username and Password are the credentials.
	Username string `conf:"username,required" doc:"User name."`
	Password string `conf:"password,required,secret" doc:"Password."`
}

// Registry is the address of a schema registry.
type Registry struct {
	// URL is the base address; several, separated by commas, are tried in
	// order.
	URL string `conf:"url,required" doc:"Base address; several, separated by commas, are tried in order."`
	// Username and Password are for HTTP basic authentication.
	Username string `conf:"username" doc:"For HTTP basic authentication."`
	Password string `conf:"password,secret" doc:"For HTTP basic authentication."`
}

// AuthTypes lists the values that Auth.Type may have.
func AuthTypes() []string { return []string{"plain", "scram-sha-256", "scram-sha-512"} }

// Validate reports everything that is wrong with the profile, joined.
func (p Profile) Validate() error {
	var errs []error
	if len(p.Bootstrap) == 0 {
		errs = append(errs, errors.New("bootstrap: need at least one host:port"))
	}
	for _, addr := range p.Bootstrap {
		if err := validAddress(addr); err != nil {
			errs = append(errs, fmt.Errorf("bootstrap %q: %w", addr, err))
		}
	}
	if p.Dial != nil && p.TLS != nil {
		errs = append(errs, errors.New("tls: not possible with a Dial of its own"))
	}
	if _, err := p.mechanism(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func validAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return errors.New("need host:port, such as localhost:9092")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	return nil
}

// Options turns the profile into options of a franz-go client, followed by
// extra, which win.
func (p Profile) Options(extra ...kgo.Opt) ([]kgo.Opt, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("cluster profile %s: %w", p.label(), err)
	}
	opts := []kgo.Opt{kgo.SeedBrokers(p.Bootstrap...), kgo.ClientID(p.clientID())}
	if p.Rack != "" {
		opts = append(opts, kgo.Rack(p.Rack))
	}
	if p.Dial != nil {
		opts = append(opts, kgo.Dialer(p.Dial))
	}
	if p.TLS != nil {
		config, err := p.TLS.config()
		if err != nil {
			return nil, fmt.Errorf("cluster profile %s: %w", p.label(), err)
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	mechanism, err := p.mechanism()
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return append(opts, extra...), nil
}

// Client makes a client of the cluster. It contacts nothing yet; the caller
// closes it.
func (p Profile) Client(extra ...kgo.Opt) (*kgo.Client, error) {
	opts, err := p.Options(extra...)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("cluster profile %s: %w", p.label(), err)
	}
	return client, nil
}

func (p Profile) clientID() string {
	if p.ClientID != "" {
		return p.ClientID
	}
	return "millrace"
}

func (p Profile) label() string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprint(p.Bootstrap)
}

func (p Profile) mechanism() (sasl.Mechanism, error) {
	if p.Auth == nil {
		return nil, nil
	}
	switch p.Auth.Type {
	case "plain":
		return plain.Auth{User: p.Auth.Username, Pass: p.Auth.Password}.AsMechanism(), nil
	case "scram-sha-256":
		return scram.Auth{User: p.Auth.Username, Pass: p.Auth.Password}.AsSha256Mechanism(), nil
	case "scram-sha-512":
		return scram.Auth{User: p.Auth.Username, Pass: p.Auth.Password}.AsSha512Mechanism(), nil
	default:
		return nil, fmt.Errorf("auth.type %q: need one of %v", p.Auth.Type, AuthTypes())
	}
}

func (t *TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName, InsecureSkipVerify: t.Insecure}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no PEM certificate", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("tls: cert and key belong together, one of them is missing")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
