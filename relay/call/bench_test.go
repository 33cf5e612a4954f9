package call

import "testing"

const sample = `{"event":"agent_termination","queue":"support","uii":"202004220000000000000000000001","segment_id":"2","agent_id":1401,"agent_username":"ann@example.com","agent_externid":"ext-77","agent_phone":"+15550100","agent_team":"gold","ani":"+15551230001","dnis":"+15559870002","call_start":"2020-04-22T00:00:00Z","enqueue_time":"2020-04-22T00:00:04Z","dequeue_time":"2020-04-22T00:00:19Z","duration":185,"sess_duration":166,"queue_duration":15,"call_result":"Connected","agent_disposition":"SALE","agent_notes":"wants a call back on monday","gate_id":42,"term_party":"CALLER","recording":"20200422-1.wav"}`

func BenchmarkReadEvent(b *testing.B) {
	data := []byte(sample)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readEvent(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(sample)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(data, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
