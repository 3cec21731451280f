package file

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/millrace-io/millrace/connect"
)

// lines reads the lines of one open file and knows the offset behind each.
// It goes on after the end of the file when the file has grown.
type lines struct {
	file    *os.File
	path    string
	inode   int64
	maxLine int

	reader  *bufio.Reader
	gzipped bool
	offset  int64  // behind the last line that was returned
	partial []byte // the beginning of a line that has not ended yet

	print  string // fingerprint, of covers raw bytes
	covers int64
	read   int64 // raw size when reading began or its end was last reached

	partition map[string]any // shared by all records of the file
}

// openLines takes over the file and begins at an offset of its text.
func openLines(f *os.File, path string, offset int64, maxLine int) (*lines, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &lines{file: f, path: path, inode: inodeOf(info), maxLine: maxLine, partition: partitionOf(path)}
	if err := l.seek(offset); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// close ends reading; a file that was only read has nothing to lose.
func (l *lines) close() { _ = l.file.Close() }

// seek places the reader at an offset of the text. In a gzip file everything
// before it is decompressed once more.
func (l *lines) seek(offset int64) error {
	l.offset, l.partial = offset, l.partial[:0]
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	l.read = info.Size()
	magic := make([]byte, 2)
	n, err := l.file.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	l.gzipped = n == 2 && magic[0] == 0x1f && magic[1] == 0x8b
	if !l.gzipped {
		if _, err := l.file.Seek(offset, io.SeekStart); err != nil {
			return err
		}
		l.reader = bufio.NewReaderSize(l.file, 64<<10)
		return nil
	}
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(bufio.NewReaderSize(l.file, 64<<10))
	if err != nil {
		if cutShort(err) {
			l.reader = bufio.NewReader(bytes.NewReader(nil))
			return nil
		}
		return fmt.Errorf("%s: %w", l.path, err)
	}
	if _, err := io.CopyN(io.Discard, unzipped, offset); err != nil && !cutShort(err) {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	l.reader = bufio.NewReaderSize(unzipped, 64<<10)
	return nil
}

func cutShort(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// next returns the next whole line without its end. io.EOF means that there
// is none yet; what there is of it stays in partial. The slice is valid until
// the next call.
func (l *lines) next() ([]byte, error) {
	for {
		piece, err := l.reader.ReadSlice('\n')
		l.partial = append(l.partial, piece...)
		if len(l.partial) > l.maxLine+2 {
			return nil, connect.Permanent(fmt.Errorf("%s: the line at offset %d is longer than max_line, %d bytes", l.path, l.offset, l.maxLine))
		}
		switch {
		case err == nil:
			return l.take(), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case cutShort(err):
			return nil, io.EOF
		default:
			return nil, fmt.Errorf("%s: %w", l.path, err)
		}
	}
}

// take returns the collected line and moves the offset behind it.
func (l *lines) take() []byte {
	line := l.partial
	l.partial = l.partial[:0]
	first := l.offset == 0
	l.offset += int64(len(line))
	if first {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")) // a byte order mark is not text
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// takePartial returns a last line without a newline.
func (l *lines) takePartial() ([]byte, bool) {
	if len(l.partial) == 0 {
		return nil, false
	}
	return l.take(), true
}

// refresh prepares for another try after the end of the file. It says true
// when the file was truncated, and begins again then. A gzip stream cannot go
// on after its end, so it is opened anew when the file has grown.
func (l *lines) refresh() (truncated bool, err error) {
	info, err := l.file.Stat()
	if err != nil {
		return false, err
	}
	grown := info.Size() != l.read
	l.read = info.Size()
	if !l.gzipped && info.Size() < l.offset+int64(len(l.partial)) || l.gzipped && info.Size() < l.covers {
		l.print, l.covers = "", 0
		return true, l.seek(0)
	}
	if (l.gzipped || l.offset == 0 && len(l.partial) < 2) && grown {
		return false, l.seek(l.offset)
	}
	return false, nil
}

// position says where the file was left. The fingerprint covers more while
// the file is still short.
func (l *lines) position() (position, error) {
	if l.covers < fingerprintBytes {
		print, covers, err := fingerprint(l.file, fingerprintBytes)
		if err != nil {
			return position{}, err
		}
		l.print, l.covers = print, covers
	}
	return position{inode: l.inode, fingerprint: l.print, covers: l.covers, offset: l.offset}, nil
}
