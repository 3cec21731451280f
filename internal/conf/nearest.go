package conf

import "github.com/agnivade/levenshtein"

// Nearest returns the candidate that name was probably meant to be, and false
// where none is close enough to be worth a suggestion.
func Nearest(name string, candidates []string) (string, bool) {
	best, distance := "", nearEnough(len(name))+1
	for _, c := range candidates {
		d := levenshtein.ComputeDistance(name, c)
		nearer := d < distance || d == distance && !sameStart(name, best) && sameStart(name, c)
		if d < len(c) && d <= nearEnough(len(name)) && nearer {
			best, distance = c, d
		}
	}
	return best, best != ""
}

// sameStart settles a tie: the first letter is the one least often mistyped.
func sameStart(a, b string) bool { return a != "" && b != "" && a[0] == b[0] }

// nearEnough is the number of typing errors that a name of that length may
// hold and still be recognised.
func nearEnough(length int) int {
	switch {
	case length <= 3:
		return 1
	case length <= 8:
		return 2
	default:
		return length / 3
	}
}

// didYouMean is the tail of a message, empty where nothing is near.
func didYouMean(name string, candidates []string) string {
	if best, ok := Nearest(name, candidates); ok {
		return " (did you mean " + best + "?)"
	}
	return ""
}
