package deliver

import "callrelay/queue"

// phase is where a delivery is on its way through its runner. The manual's page
// on deliveries draws them.
type phase int

const (
	phaseReady     phase = iota // in the buffer, until its turn comes; every delivery begins here
	phaseTurn                   // has a place: an attempt is made, or found not to be due
	phaseStoring                // what became of it is being stored; it holds no place
	phaseEndpoint               // waits in memory for its next attempt, or until the endpoint is well again
	phaseAsked                  // waits in memory as long as the endpoint asked for
	phaseRecording              // waits in memory for its recording
	phaseUnstored               // is dead, and waits in memory for the queue to take the dead letter

	phaseDelivered // is done; the last four are out of the runner's hands
	phaseParked    // waits in the queue, with its attempts counted
	phaseReturned  // is in the queue again as it came
	phaseDead      // is a dead letter

	phases
)

var phaseNames = [phases]string{
	"ready", "turn", "storing", "endpoint", "asked", "recording", "unstored", "delivered", "parked", "returned", "dead",
}

// String returns the name of a phase.
func (p phase) String() string { return phaseNames[p] }

// transitions are the phases that may follow each. A crash at any moment leaves a
// delivery in the queue as that knows it: its attempt may be repeated.
var transitions = [phases][]phase{
	phaseReady:     {phaseTurn, phaseStoring, phaseParked, phaseReturned},
	phaseTurn:      {phaseDelivered, phaseStoring, phaseReady},
	phaseStoring:   {phaseDelivered, phaseDead, phaseParked, phaseReturned, phaseEndpoint, phaseAsked, phaseRecording, phaseUnstored},
	phaseEndpoint:  {phaseReady, phaseTurn, phaseStoring, phaseParked, phaseReturned},
	phaseAsked:     {phaseReady, phaseStoring, phaseParked, phaseReturned},
	phaseRecording: {phaseReady, phaseStoring, phaseParked, phaseReturned},
	phaseUnstored:  {phaseReady, phaseStoring, phaseReturned},
}

// to has the delivery be in a phase from now on.
func (d *delivery) to(next phase) {
	if d.moved != nil {
		d.moved(d.phase, next)
	}
	d.phase = next
}

// finish ends a delivery that was delivered, or that was erased.
func (d *delivery) finish() {
	d.to(phaseDelivered)
	d.Finish()
}

// giveBack puts a delivery into the queue again. An attempt that the queue does
// not know of yet is stored with it, so that attempts count on.
func (d *delivery) giveBack(p queue.Parking) {
	if d.tried() && d.death == nil && d.park(p) == nil {
		return
	}
	d.to(phaseReturned)
	d.Return()
}

// park has the queue keep a delivery for a later attempt. After an error it is
// where it was.
func (d *delivery) park(p queue.Parking) error {
	err := d.Park(p)
	if err == nil {
		d.to(phaseParked)
	}
	return err
}

// tried reports whether an attempt was made since the queue handed it out.
func (d *delivery) tried() bool { return d.attempts > d.known }
