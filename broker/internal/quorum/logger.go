package quorum

import (
	"fmt"
	"log/slog"
)

// raftLogger gives raft's lines to slog. Raft reports its elections step by
// step at its info level; for an operator these are details.
type raftLogger struct{ *slog.Logger }

func (l raftLogger) Debug(v ...any)                   { l.Logger.Debug(fmt.Sprint(v...)) }
func (l raftLogger) Debugf(format string, v ...any)   { l.Logger.Debug(fmt.Sprintf(format, v...)) }
func (l raftLogger) Info(v ...any)                    { l.Logger.Debug(fmt.Sprint(v...)) }
func (l raftLogger) Infof(format string, v ...any)    { l.Logger.Debug(fmt.Sprintf(format, v...)) }
func (l raftLogger) Warning(v ...any)                 { l.Warn(fmt.Sprint(v...)) }
func (l raftLogger) Warningf(format string, v ...any) { l.Warn(fmt.Sprintf(format, v...)) }
func (l raftLogger) Error(v ...any)                   { l.Logger.Error(fmt.Sprint(v...)) }
func (l raftLogger) Errorf(format string, v ...any)   { l.Logger.Error(fmt.Sprintf(format, v...)) }

// Fatal and Panic mean that raft's own state contradicts itself. Going on
// could undo what was acked, so the process must not.
func (l raftLogger) Fatal(v ...any) { l.Panic(v...) }

// Fatalf is Fatal with a format.
func (l raftLogger) Fatalf(format string, v ...any) { l.Panicf(format, v...) }

// Panic ends the process.
func (l raftLogger) Panic(v ...any) {
	panic("raft: " + fmt.Sprint(v...)) //nolint:forbidigo // Raft expects this call not to return.
}

// Panicf is Panic with a format.
func (l raftLogger) Panicf(format string, v ...any) { l.Panic(fmt.Sprintf(format, v...)) }
