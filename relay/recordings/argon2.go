package recordings

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// maxArgonMemory bounds what one password check takes, in KiB.
const maxArgonMemory = 1 << 20

var errArgon = errors.New("password is not an argon2id hash")

// argon2idCheck compares with a hash in the form of the reference program:
// $argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>.
func argon2idCheck(secret string) (check, error) {
	parts := strings.Split(secret, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errArgon
	}
	var memory, time uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[3]+"$", "m=%d,t=%d,p=%d$", &memory, &time, &threads); err != nil {
		return nil, errArgon
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	want, errHash := base64.RawStdEncoding.DecodeString(parts[5])
	if errSalt != nil || errHash != nil || len(want) < 16 || memory > maxArgonMemory || time == 0 || threads == 0 {
		return nil, errArgon
	}
	return func(p string) bool {
		return hmac.Equal(argon2.IDKey([]byte(p), salt, time, memory, threads, uint32(len(want))), want)
	}, nil
}
