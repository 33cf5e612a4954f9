package queue

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/minio/highwayhash"
)

// blockCheck is what the block files of a stream say by themselves.
type blockCheck struct {
	damaged int    // records that are not as they were written
	where   string // the file of the first of them
	cut     string // a file that ends within a record
	last    bool   // it is the last one, which a crash cuts
}

// blocks reads every record of every stream and holds it against its checksum,
// before JetStream does: that skips a damaged record without a word, or cuts off
// what comes behind it. It reports whether JetStream may be started.
func (x *exam) blocks(f *folder) bool {
	sound := true
	for _, stream := range streamOrder {
		c, err := checkBlocks(f, stream)
		switch {
		case err != nil:
			x.fault(stream, "make the folder readable to the relay's user", "%v", err)
			sound = false
		case c.damaged > 0:
			x.fault(stream, "copy the folder away before the relay starts: JetStream would cut off what is behind; a backup, or the call server, may have what is lost",
				"%s damaged, the first in %s", manyAre(c.damaged, "record"), c.where)
			sound = false
		case c.cut != "" && !c.last:
			x.fault(stream, "copy the folder away before the relay starts", "%s ends within a record", c.cut)
			sound = false
		case c.cut != "" && !x.live: // else it is being written
			x.doubt(stream, "", "%s ends within a record, as after a crash: it was not acknowledged, and goes at the next start", c.cut)
		}
	}
	return sound
}

func manyAre(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return many(n, thing) + " are"
}

// checkBlocks reads the files of a stream. One that goes meanwhile is not
// missed.
func checkBlocks(f *folder, stream string) (blockCheck, error) {
	var c blockCheck
	dir := f.stream(stream, "msgs")
	numbers, err := listBlocks(dir)
	if os.IsNotExist(err) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	for i, number := range numbers {
		data, err := os.ReadFile(blockPath(dir, number))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return c, err
		}
		damaged, whole := checkBlock(data, blockKey(stream, number))
		if damaged > 0 && c.where == "" {
			c.where = fmt.Sprintf("%d.blk", number)
		}
		c.damaged += damaged
		if !whole {
			c.cut, c.last = fmt.Sprintf("%d.blk", number), i == len(numbers)-1
		}
	}
	return c, nil
}

// blockKey is what JetStream keys the checksums of a block with.
func blockKey(stream string, number int) []byte {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, number))
	return key[:]
}

// checkBlock counts the records of a block that do not have their checksum, and
// reports whether the last one is whole. Behind a length that makes no sense
// nothing can be read: it counts as one.
func checkBlock(data, key []byte) (damaged int, whole bool) {
	hash, err := highwayhash.New64(key)
	if err != nil {
		return 0, true // never: the key has its length
	}
	le := binary.LittleEndian
	for len(data) > 0 {
		if len(data) < recordFixed {
			return damaged, false
		}
		length := int(le.Uint32(data) &^ hasHeaders)
		subject := int(le.Uint16(data[20:]))
		behind := recordFixed + subject
		if le.Uint32(data)&hasHeaders != 0 {
			behind += 4
		}
		if length < behind+recordChecksum {
			return damaged + 1, true
		}
		if length > len(data) {
			return damaged, false
		}
		record, sum := data[:length-recordChecksum], data[length-recordChecksum:length]
		hash.Reset()
		hash.Write(record[4:20])
		hash.Write(record[recordFixed : recordFixed+subject])
		hash.Write(record[behind:])
		if !bytes.Equal(hash.Sum(nil), sum) {
			damaged++
		}
		data = data[length:]
	}
	return damaged, true
}
