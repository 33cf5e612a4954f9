package journal

import (
	"testing"
	"time"
)

func TestClaimsEndWithTheWindow(t *testing.T) {
	c := NewClaims(time.Minute)
	now := time.Now()
	if _, fresh, taken := c.Stake("C1=a", now); !fresh || taken {
		t.Error("a new claim is not fresh")
	}
	if _, fresh, taken := c.Stake("C1=a=b", now); !fresh || taken {
		t.Error("an id with = in it is taken for another")
	}
	h, fresh, taken := c.Stake("C1=b", now.Add(59*time.Second))
	if fresh || !taken {
		t.Error("a claim that is taken is not")
	}
	if _, fresh, taken := c.Stake("C1=b", now.Add(61*time.Second)); !fresh || taken {
		t.Error("a claim outlasts the window")
	}
	c.release([]Hash128{h})
	if _, fresh, _ := c.Stake("C1=c", now.Add(62*time.Second)); !fresh {
		t.Error("a claim that was released is still made")
	}
}
