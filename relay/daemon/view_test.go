package daemon

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"callrelay/queue"
	callsource "callrelay/relay/source"
	"callrelay/relay/web"
)

// fill sets each field of a struct to something.
func fill[T any](t *testing.T) (filled T) {
	t.Helper()
	set(t, reflect.ValueOf(&filled).Elem())
	return filled
}

func set(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(t, v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		set(t, key)
		set(t, value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Now()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				set(t, v.Field(i))
			}
		}
	default:
		t.Fatalf("%s is not filled here", v.Type())
	}
}

// TestWhatIsShownIsFilled holds that each field of what the page and relay status
// show is taken from what the parts say.
func TestWhatIsShownIsFilled(t *testing.T) {
	for _, shown := range []struct {
		view      any
		elsewhere []string // filled by somebody else
	}{
		{source(fill[callsource.Status](t)), nil},
		{queueView(fill[queue.Stats](t), []queue.Loss{fill[queue.Loss](t)}, errors.New("x")), nil},
	} {
		v := reflect.ValueOf(shown.view)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).IsZero() && !slices.Contains(shown.elsewhere, name) {
				t.Errorf("%s.%s is not filled", v.Type(), name)
			}
		}
	}
	if state := source(callsource.Status{}).State; state != "disconnected" {
		t.Errorf("a source that is not connected is %s", state)
	}
	if w := (web.Queue{}); queueView(queue.Stats{}, nil, nil) != w {
		t.Error("an empty queue shows something")
	}
}
