package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// partFailed is the name of the part that says why a backup broke off.
const partFailed = "failed"

// backup sends the files of a backup as they are written, each as a part.
func (s *Socket) backup(w http.ResponseWriter, r *http.Request) {
	parts := multipart.NewWriter(w)
	w.Header().Set("Content-Type", "multipart/mixed; boundary="+parts.Boundary())
	err := s.relay.Backup(r.Context(), func(path string) (io.Writer, error) { return parts.CreateFormFile("file", path) })
	if err != nil {
		s.log.Warn("backup not complete", "err", err)
		if part, partErr := parts.CreateFormField(partFailed); partErr == nil {
			_, _ = io.WriteString(part, err.Error())
		}
	}
	_ = parts.Close()
}

// Backup calls write for each file of a backup, in turn. The last one is what
// makes it whole.
func (c *Client) Backup(ctx context.Context, write func(path string, data io.Reader) error) error {
	reply, err := c.send(ctx, http.MethodGet, "/v1/backup", nil)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	_, params, err := mime.ParseMediaType(reply.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("read answer of relay: %w", err)
	}
	parts := multipart.NewReader(reply.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the relay stopped before it was done: %w", err)
		}
		if part.FormName() == partFailed {
			text, _ := io.ReadAll(part)
			return errors.New(string(text))
		}
		if err := write(pathOf(part), part); err != nil {
			return err
		}
	}
}

// pathOf is the path of a part's file; [multipart.Part.FileName] keeps only its
// last element.
func pathOf(p *multipart.Part) string {
	_, params, _ := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
	return params["filename"]
}
