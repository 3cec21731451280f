package rest

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-io/millrace/connect"
	"github.com/millrace-io/millrace/connect/worker"
)

type taskRef struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

type infoBody struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []taskRef         `json:"tasks"`
	Type   string            `json:"type"`
}

func bodyOf(i worker.Info) infoBody {
	b := infoBody{Name: i.Name, Config: i.Config, Tasks: []taskRef{}, Type: i.Kind}
	for id := range i.Tasks {
		b.Tasks = append(b.Tasks, taskRef{i.Name, id})
	}
	return b
}

type stateBody struct {
	State    worker.State `json:"state"`
	WorkerID string       `json:"worker_id"`
	Trace    string       `json:"trace,omitempty"`
}

// taskBody adds, to what Java says, how often the task was restarted and when
// it will be.
type taskBody struct {
	ID       int          `json:"id"`
	State    worker.State `json:"state"`
	WorkerID string       `json:"worker_id"`
	Trace    string       `json:"trace,omitempty"`
	Restarts int          `json:"restarts,omitempty"`
	Last     *time.Time   `json:"last_restart,omitempty"`
	Next     *time.Time   `json:"next_attempt,omitempty"`
}

type statusBody struct {
	Name      string     `json:"name"`
	Connector stateBody  `json:"connector"`
	Tasks     []taskBody `json:"tasks"`
	Type      string     `json:"type"`
}

func statusOfConnector(s worker.Status) statusBody {
	b := statusBody{Name: s.Name, Connector: stateBody{s.State, s.WorkerID, s.Trace}, Tasks: []taskBody{}, Type: s.Kind}
	for _, t := range s.Tasks {
		b.Tasks = append(b.Tasks, bodyOfTask(t))
	}
	return b
}

func bodyOfTask(t worker.TaskStatus) taskBody {
	return taskBody{ID: t.ID, State: t.State, WorkerID: t.WorkerID, Trace: t.Trace, Restarts: t.Restarts, Last: instant(t.LastRestart), Next: instant(t.NextAttempt)}
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *api) root(*http.Request) (answer, error) {
	return ok(struct {
		Version string `json:"version"`
		Commit  string `json:"commit"`
		Cluster string `json:"kafka_cluster_id"`
	}{version, commit(), a.worker.ClusterID()})
}

// commit is the revision that the program was built from.
func commit() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

func (a *api) health(*http.Request) (answer, error) {
	type body struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	if a.worker.Starting() {
		return answer{status: http.StatusServiceUnavailable, body: body{"starting", "Worker is still starting up."}}, nil
	}
	return ok(body{"healthy", "Worker has completed startup and is ready to handle requests."})
}

// list names the connectors, or with expand says more about each. One that
// vanishes meanwhile is left out.
func (a *api) list(r *http.Request) (answer, error) {
	if a.worker.Starting() {
		return answer{}, worker.ErrStarting
	}
	names := a.worker.Names()
	expand := r.URL.Query()["expand"]
	if len(expand) == 0 {
		if names == nil {
			names = []string{}
		}
		return ok(names)
	}
	out := map[string]map[string]any{}
	for _, name := range names {
		entry := map[string]any{}
		for _, what := range expand {
			switch what {
			case "status":
				if s, err := a.worker.Status(name); err == nil {
					entry["status"] = statusOfConnector(s)
				}
			case "info":
				if i, err := a.worker.Info(name); err == nil {
					entry["info"] = bodyOf(i)
				}
			}
		}
		out[name] = entry
	}
	return ok(out)
}

func (a *api) create(r *http.Request) (answer, error) {
	var body struct {
		Name   *string    `json:"name"`
		Config properties `json:"config"`
		State  string     `json:"initial_state"`
	}
	if err := decode(r, &body); err != nil {
		return answer{}, err
	}
	props := body.Config.strings()
	name := props["name"]
	if body.Name != nil {
		name = strings.TrimSpace(*body.Name)
	}
	if err := named(props, name); err != nil {
		return answer{}, err
	}
	target, err := targetOf(body.State)
	if err != nil {
		return answer{}, err
	}
	info, err := a.worker.Create(r.Context(), name, props, target)
	if err != nil {
		return answer{}, conflict(err, "Connector "+name+" already exists")
	}
	return answer{status: http.StatusCreated, body: bodyOf(info), location: "/connectors/" + url.PathEscape(name)}, nil
}

// named makes the name a property, and refuses one that differs.
func named(props map[string]string, name string) error {
	if given, ok := props["name"]; ok && given != name {
		return fail(http.StatusBadRequest, "Connector name configuration (%s) doesn't match connector name in the URL (%s)", given, name)
	}
	if err := connect.ValidateName(name); err != nil {
		return fail(http.StatusBadRequest, "%v", err)
	}
	props["name"] = name
	return nil
}

func targetOf(state string) (worker.Target, error) {
	switch t := worker.Target(strings.ToUpper(state)); t {
	case "", "RUNNING":
		return worker.TargetStarted, nil
	case worker.TargetPaused, worker.TargetStopped:
		return t, nil
	default:
		return "", fail(http.StatusBadRequest, "initial_state %q is not one of RUNNING, PAUSED, STOPPED", state)
	}
}

func conflict(err error, message string) error {
	if errors.Is(err, worker.ErrExists) {
		return fail(http.StatusConflict, "%s", message)
	}
	return err
}

// missing gives a connector that does not exist Kafka Connect's message.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, worker.ErrNotFound) {
		return fail(http.StatusNotFound, format, args...)
	}
	return err
}

func (a *api) info(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	info, err := a.worker.Info(name)
	if err != nil {
		return answer{}, missing(err, "Connector %s not found", name)
	}
	return ok(bodyOf(info))
}

func (a *api) config(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	info, err := a.worker.Info(name)
	if err != nil {
		return answer{}, missing(err, "Connector %s not found", name)
	}
	return ok(info.Config)
}

func (a *api) put(r *http.Request) (answer, error) {
	var body properties
	if err := decode(r, &body); err != nil {
		return answer{}, err
	}
	if body == nil {
		return answer{}, fail(http.StatusBadRequest, "the body must be a JSON object, got null")
	}
	return a.store(r, body.strings())
}

func (a *api) store(r *http.Request, props map[string]string) (answer, error) {
	name := r.PathValue("name")
	if err := named(props, name); err != nil {
		return answer{}, err
	}
	created, info, err := a.worker.Put(r.Context(), name, props)
	if err != nil {
		return answer{}, err
	}
	if created {
		return answer{status: http.StatusCreated, body: bodyOf(info), location: "/connectors/" + url.PathEscape(name)}, nil
	}
	return ok(bodyOf(info))
}

// patch merges: null removes a property (KIP-477).
func (a *api) patch(r *http.Request) (answer, error) {
	var body properties
	if err := decode(r, &body); err != nil {
		return answer{}, err
	}
	name := r.PathValue("name")
	info, err := a.worker.Info(name)
	if err != nil {
		return answer{}, missing(err, "Connector %s not found", name)
	}
	props := maps.Clone(info.Config) // masked secrets come back by Put
	for key, value := range body {
		if value == nil {
			delete(props, key)
		} else {
			props[key] = *value
		}
	}
	return a.store(r, props)
}

func (a *api) remove(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	if err := a.worker.Delete(r.Context(), name); err != nil {
		return answer{}, missing(err, "Connector %s not found", name)
	}
	return answer{status: http.StatusNoContent}, nil
}

func (a *api) status(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	s, err := a.worker.Status(name)
	if err != nil {
		return answer{}, missing(err, "No status found for connector %s", name)
	}
	return ok(statusOfConnector(s))
}

func (a *api) target(t worker.Target, status int) route {
	return func(r *http.Request) (answer, error) {
		name := r.PathValue("name")
		if err := a.worker.SetTarget(r.Context(), name, t); err != nil {
			return answer{}, missing(err, "Unknown connector %s", name)
		}
		return answer{status: status}, nil
	}
}

// restart answers 204, or with either parameter 202 and the status (KIP-745).
func (a *api) restart(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	tasks, err := flag(r, "includeTasks")
	if err != nil {
		return answer{}, err
	}
	onlyFailed, err := flag(r, "onlyFailed")
	if err != nil {
		return answer{}, err
	}
	if err := a.worker.Restart(r.Context(), name, onlyFailed); err != nil {
		return answer{}, missing(err, "Unknown connector: %s", name)
	}
	if !tasks && !onlyFailed {
		return answer{status: http.StatusNoContent}, nil
	}
	s, err := a.worker.Status(name)
	if err != nil {
		return answer{}, missing(err, "No status found for connector %s", name)
	}
	return answer{status: http.StatusAccepted, body: statusOfConnector(s)}, nil
}

func flag(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fail(http.StatusBadRequest, "%s=%q is neither true nor false", name, text)
	}
	return on, nil
}

func (a *api) tasks(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	tasks, err := a.worker.Tasks(name)
	if err != nil {
		return answer{}, missing(err, "Connector %s not found", name)
	}
	type body struct {
		ID     taskRef           `json:"id"`
		Config map[string]string `json:"config"`
	}
	out := []body{}
	for _, t := range tasks {
		out = append(out, body{taskRef{name, t.ID}, t.Config})
	}
	return ok(out)
}

func (a *api) taskStatus(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	s, err := a.worker.Status(name)
	if err == nil {
		for _, t := range s.Tasks {
			if strconv.Itoa(t.ID) == r.PathValue("task") {
				return ok(bodyOfTask(t))
			}
		}
		err = worker.ErrNotFound
	}
	return answer{}, missing(err, "No status found for task %s-%s", name, r.PathValue("task"))
}

func (a *api) taskRestart(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	index, err := strconv.Atoi(r.PathValue("task"))
	if err != nil {
		return answer{}, fail(http.StatusNotFound, "HTTP 404 Not Found")
	}
	if err := a.worker.RestartTask(name, index); err != nil {
		return answer{}, missing(err, "Unknown task: %s-%d", name, index)
	}
	return answer{status: http.StatusNoContent}, nil
}

func (a *api) offsets(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	positions, err := a.worker.Offsets(name)
	if err != nil {
		return answer{}, missing(err, "Connector %s not found", name)
	}
	type body struct {
		Partition map[string]any `json:"partition"`
		Offset    map[string]any `json:"offset"`
	}
	out := []body{}
	for _, p := range positions {
		out = append(out, body{p.Partition, p.Offset})
	}
	return ok(map[string]any{"offsets": out})
}
