package registry

import (
	"fmt"
	"net/http"
)

// apiError is an error as the API gives it: an error_code whose first three
// digits are the HTTP status, and a text. Clients match on both.
type apiError struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func (e *apiError) status() int {
	if e.Code >= 10000 {
		return e.Code / 100
	}
	return e.Code
}

func fail(code int, format string, args ...any) *apiError {
	return &apiError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func errSubjectNotFound(subject string) *apiError {
	return fail(40401, "Subject '%s' not found.", subject)
}

func errVersionNotFound(version int) *apiError { return fail(40402, "Version %d not found.", version) }

func errSchemaNotFound() *apiError { return fail(40403, "Schema not found") }

func errIDNotFound(id int) *apiError { return fail(40403, "Schema %d not found", id) }

func errGUIDNotFound(guid string) *apiError { return fail(40403, "Schema %s not found", guid) }

// The texts of soft deletes lack a space after the full stop: so clients know
// them.
func errSubjectSoftDeleted(subject string) *apiError {
	return fail(40404, "Subject '%s' was soft deleted.Set permanent=true to delete permanently", subject)
}

func errSubjectNotSoftDeleted(subject string) *apiError {
	return fail(40405, "Subject '%s' was not deleted first before being permanently deleted", subject)
}

func errVersionSoftDeleted(subject string, version int) *apiError {
	return fail(40406, "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently", subject, version)
}

func errVersionNotSoftDeleted(subject string, version int) *apiError {
	return fail(40407, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, version)
}

func errNoCompatibility(subject string) *apiError {
	return fail(40408, "Subject '%s' does not have subject-level compatibility configured", subject)
}

func errNoMode(subject string) *apiError {
	return fail(40409, "Subject '%s' does not have subject-level mode configured", subject)
}

// errIncompatible has error_code 409 and not 40901, as Confluent up to 8.1:
// franz-go's client knows only that.
func errIncompatible(subject, details string) *apiError {
	return fail(http.StatusConflict,
		"Schema being registered is incompatible with an earlier schema for subject \"%s\", details: [%s]", subject, details)
}

func errInvalidSchema(format string, args ...any) *apiError { return fail(42201, format, args...) }

func errInvalidVersion(text string) *apiError {
	return fail(42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", text)
}

func errInvalidLevel() *apiError {
	return fail(42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

func errInvalidMode() *apiError {
	return fail(42204, "Invalid mode. Valid values are READWRITE, READONLY and READONLY_OVERRIDE; IMPORT and FORWARD are not supported")
}

func errNotPermitted(format string, args ...any) *apiError { return fail(42205, format, args...) }

func errReferenced(subject string, version int) *apiError {
	return fail(42206, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", subject, version)
}

func errInvalidSubject(subject string) *apiError {
	return fail(42208, "The specified subject '%s' is not a valid.", subject)
}

func errTooLarge(detail error) *apiError {
	return fail(42209, "Schema is too large for the topic: %v. Raise max.message.bytes of the topic", detail)
}

func errRulesUnsupported() *apiError {
	return fail(42210, "metadata and ruleSet are not supported: leave them out")
}

func errStore(cause error) *apiError {
	return fail(50001, "Error while writing to the topic: %v", cause)
}

func errTimeout() *apiError {
	return fail(50002, "Write timed out: whether it took place is not known")
}

// errStarting answers everything until the topic has been read to its end.
func errStarting() *apiError {
	return fail(http.StatusServiceUnavailable, "The registry is reading its topic, try again")
}
