package bench

// gate measures a goal against the sides of a workload. It is not ok where a
// side is missing.
type gate struct {
	text    string
	atLeast bool
	measure func(sides map[string]Result, p Probe) (value, limit float64, ok bool)
}

// The budget of everything that is ours, above the floor.
const (
	budgetPerGB      = 0.10 // CPU-s
	budgetPerRequest = 2.0  // us
)

// value is the median, 0 where nothing was measured.
func value(f *Figure) float64 {
	if f == nil {
		return 0
	}
	return f.Median
}

// cpuGate bounds the CPU per byte of one side by that of another.
func cpuGate(text string, factor float64, base, side string) gate {
	return gate{text: text + ", s/GB", measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
		limit, of := sides[base].CPUPerGB, sides[side].CPUPerGB
		return value(of), factor * value(limit), limit != nil && of != nil
	}}
}

// peerGate is reported, where there is a peer.
func peerGate(text string, factor float64) gate { return cpuGate(text, factor, againstSide, oursSide) }

// rateGate asks for a share of another side's throughput.
func rateGate(text string, factor float64, base, side string) gate {
	return gate{text: text + ", MB/s", atLeast: true, measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
		limit, of := sides[base].MBPerSecond, sides[side].MBPerSecond
		return value(of), factor * value(limit), limit != nil && of != nil
	}}
}

// requestGate allows the budget per request.
var requestGate = gate{text: "CPU at most floor + 2 us per request, us", measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
	floor, ours := sides[floorSide].CPUPerRequest, sides[oursSide].CPUPerRequest
	return value(ours), value(floor) + budgetPerRequest, floor != nil && ours != nil
}}

// budgetGate allows the budget per byte, and that per request.
var budgetGate = gate{text: "CPU at most floor + 0.10 s/GB + 2 us per request, s/GB", measure: func(sides map[string]Result, _ Probe) (float64, float64, bool) {
	floor, ours := sides[floorSide], sides[oursSide]
	if floor.CPUPerRequest == nil || floor.CPUPerGB == nil || ours.CPUPerGB == nil {
		return 0, 0, false
	}
	requestsPerGB := floor.CPUPerGB.Median / floor.CPUPerRequest.Median * 1e6
	return value(ours.CPUPerGB), floor.CPUPerGB.Median + budgetPerGB + budgetPerRequest*1e-6*requestsPerGB, true
}}
