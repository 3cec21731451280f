package worker

import "github.com/prometheus/client_golang/prometheus"

// metrics are the worker's own; the states are collected from what runs.
type metrics struct {
	records  *prometheus.CounterVec // connector, stage: produced or written
	restarts *prometheus.CounterVec // connector
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_connect_records_total", Help: "Records that a connector has moved.",
		}, []string{"connector", "stage"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_task_restarts_total", Help: "Restarts of failed tasks.",
		}, []string{"connector"}),
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.records, m.restarts} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// states collects the state of every connector and task at the scrape, so
// that it can never be older than what runs.
type states struct{ worker *Worker }

func connectorState() *prometheus.Desc {
	return prometheus.NewDesc("millrace_connector_state", "1 for the state that a connector is in.", []string{"connector", "state"}, nil)
}

func taskState() *prometheus.Desc {
	return prometheus.NewDesc("millrace_task_state", "1 for the state that a task is in.", []string{"connector", "task", "state"}, nil)
}

// Describe tells the registry what is collected.
func (s states) Describe(ch chan<- *prometheus.Desc) {
	ch <- connectorState()
	ch <- taskState()
}

// Collect reads the states.
func (s states) Collect(ch chan<- prometheus.Metric) {
	for _, name := range s.worker.Names() {
		status, err := s.worker.Status(name)
		if err != nil {
			continue
		}
		ch <- prometheus.MustNewConstMetric(connectorState(), prometheus.GaugeValue, 1, name, string(status.State))
		for _, task := range status.Tasks {
			ch <- prometheus.MustNewConstMetric(taskState(), prometheus.GaugeValue, 1, name, task.label(), string(task.State))
		}
	}
}
