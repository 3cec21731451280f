package avrotext

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
)

// Reference is what a schema refers to, as the hash sees it.
type Reference struct {
	Name, Subject string
	Version       int
}

// Sum is the hash of a canonical text and its references, by which a registry
// recognises a schema that already has an id. It identifies; it protects
// nothing.
func Sum(text string, references []Reference) [16]byte {
	data := []byte(text)
	for _, r := range references {
		data = append(data, r.Name...)
		data = append(data, r.Subject...)
		data = binary.BigEndian.AppendUint32(data, uint32(r.Version))
	}
	return md5.Sum(data)
}

// GUID spells a sum as a UUID, all of whose bits are the sum's.
func GUID(sum [16]byte) string {
	b := make([]byte, 36)
	hex.Encode(b, sum[:4])
	b[8] = '-'
	hex.Encode(b[9:], sum[4:6])
	b[13] = '-'
	hex.Encode(b[14:], sum[6:8])
	b[18] = '-'
	hex.Encode(b[19:], sum[8:10])
	b[23] = '-'
	hex.Encode(b[24:], sum[10:])
	return string(b)
}
