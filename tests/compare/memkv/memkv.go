// Package memkv has the types of the original's package of that name, as templates see them.
package memkv

// KVPair is a key and its value.
type KVPair struct{ Key, Value string }

// KVPairs are pairs, sorted by key.
type KVPairs []KVPair

func (p KVPairs) Len() int           { return len(p) }
func (p KVPairs) Less(i, j int) bool { return p[i].Key < p[j].Key }
func (p KVPairs) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
