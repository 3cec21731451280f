package broker_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A broker that fails one of these items is a toy: a client notices. Each is
// held by a test that has its number in its name.
//
// elsewhere are the items that need several brokers (29, 62, 88, 93, 94, 104,
// 105) or someone who has said who he is (11, 32, 97).
const lastItem = 106

var elsewhere = []int{11, 29, 32, 62, 88, 93, 94, 97, 104, 105}

// badInput are the inputs that the broker must survive: on the wire (W), in a
// batch (B), in the configuration (C), on the disk (D).
var badInput = strings.Fields(`
	W1 W2 W3 W4 W5 W7 W8 W9 W10 W11 W13 W15 W16 W17 W18 W19 W20 W21 W22 W23 W24 W25 W26 W27 W28 W29 W30
	B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 B18
	D1 D2 D3 D4 D6 D7 D9 D10 D12 D13 D18 D19 D20 D21
	C6 C7 C9`)

func TestEveryItemOfTheChecklistHasATest(t *testing.T) {
	names := testNames(t)
	for item := 1; item <= lastItem; item++ {
		id := strconv.Itoa(item)
		if slices.Contains(elsewhere, item) || names["item"+id] {
			continue
		}
		t.Errorf("no test is named TestItem%s_... or has a part %q or a script item%s_...", id, "item "+id, id)
	}
}

func TestEveryBadInputHasATest(t *testing.T) {
	names := testNames(t)
	for _, id := range badInput {
		if !names[strings.ToLower(id)] {
			t.Errorf("no test is named Test%s... or has a part that begins with %q", id, id)
		}
	}
}

var (
	// A function TestItem48_AbortedTransactions, TestB3CountsThatLie or
	// TestItem9_W13_UnknownTagsAreSkipped.
	testFunc = regexp.MustCompile(`(?m)^func Test((?:(?:Item\d+|[WBCD]\d+)_)*(?:Item\d+|[WBCD]\d+))(?:_|[A-Z])`)
	// A part "item 48: ...", or of a table "B3 count 0", "item 18, B3: count 0".
	testPart = regexp.MustCompile("[\"`]((?:(?:item \\d+|[WBCD]\\d+), )*(?:item \\d+|[WBCD]\\d+))[ :/]")
	// A script of a dialogue: testdata/dialogue/item41_exhaustion.
	testScript = regexp.MustCompile(`/testdata/.*/(item\d+)_[^/]*$`)
	testID     = regexp.MustCompile(`(?i)item ?\d+|[WBCD]\d+`)
)

// testNames are the ids that tests of the broker are named by, in lower case
// and without spaces.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, root := range []string{".", "../internal", "../test"} {
		for _, file := range testFiles(t, root) {
			if script := testScript.FindStringSubmatch(file); script != nil {
				names[script[1]] = true
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, pattern := range []*regexp.Regexp{testFunc, testPart} {
				for _, match := range pattern.FindAllSubmatch(text, -1) {
					for _, id := range testID.FindAll(match[1], -1) {
						names[string(bytes.ReplaceAll(bytes.ToLower(id), []byte(" "), nil))] = true
					}
				}
			}
		}
	}
	if len(names) == 0 {
		t.Fatal("no names were found: has the form of names changed?")
	}
	t.Log("named by tests: ", strings.Join(slices.Sorted(maps.Keys(names)), " "))
	return names
}

func testFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && (strings.HasSuffix(path, "_test.go") || testScript.MatchString(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
