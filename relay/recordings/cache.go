package recordings

import (
	"container/list"
	"sync"
)

// A cache keeps the values used last, up to a number of them. Safe for
// concurrent use.
type cache[K comparable, V any] struct {
	max int

	mu    sync.Mutex
	items map[K]*list.Element
	order list.List // of item, the one used last in front
}

type item[K comparable, V any] struct {
	key   K
	value V
}

func newCache[K comparable, V any](max int) *cache[K, V] {
	return &cache[K, V]{max: max, items: map[K]*list.Element{}}
}

func (c *cache[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[key]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(item[K, V]).value, true
}

// put keeps value in the place of what key had.
func (c *cache[K, V]) put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(key, value)
}

// fetch returns what is kept for key, or else keeps what make returns, which
// must not be slow.
func (c *cache[K, V]) fetch(key K, make func() V) V {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.items[key]; ok {
		c.order.MoveToFront(e)
		return e.Value.(item[K, V]).value
	}
	value := make()
	c.insert(key, value)
	return value
}

func (c *cache[K, V]) insert(key K, value V) {
	if e, ok := c.items[key]; ok {
		e.Value = item[K, V]{key, value}
		c.order.MoveToFront(e)
		return
	}
	c.items[key] = c.order.PushFront(item[K, V]{key, value})
	if len(c.items) > c.max {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.items, last.Value.(item[K, V]).key)
	}
}
