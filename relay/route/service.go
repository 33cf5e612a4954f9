package route

import (
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/render"
)

// compileService compiles the service at a place of the file.
func compileService(c *config.Config, index int) (*Service, []config.Problem) {
	def := c.Services[index]
	s := &Service{Service: def, Endpoint: def.URL, Index: index}
	template, found := render.Compile(spec(c, &def))
	if len(found) > 0 {
		problems := make([]config.Problem, len(found))
		for i, p := range found {
			problems[i] = c.ProblemAt(config.Ref{Table: "service", Index: index}, p.Key, p.Text+filterNear(p.Filter))
		}
		return s, problems
	}
	s.Template = template
	s.UsesRecording = slices.ContainsFunc(call.FileTags(call.Recording), template.Uses)
	s.UsesAgentRecording = slices.ContainsFunc(call.FileTags(call.AgentRecording), template.Uses)
	files, encoded := call.CarriedTags()
	s.Carries = slices.ContainsFunc(append(files, encoded...), template.Uses)
	return s, nil
}

// filterNear is the hint at a known filter.
func filterNear(written string) string {
	known := make([]string, 0, 16)
	for _, f := range render.Filters() {
		known = append(known, f.Name)
	}
	return nearest(written, known)
}

// spec says in words of render what a service sends.
func spec(c *config.Config, s *config.Service) render.Spec {
	r := render.Spec{
		Method: s.Method, URL: s.URL,
		Headers: fields(s.Headers), Query: fields(s.Query), Params: fields(s.Params),
		Body: s.Body, ContentType: s.ContentType,
		Zone: s.Timezone, TimesIn: c.Intake.Timezone, Times: call.TimeTags(), Text: s.BodyText(),
		AllScriptData: s.AllScriptData, Reject: s.Missing == "reject",
		SOAP: soap(s),
	}
	r.Files, r.Encoded = call.CarriedTags()
	if s.Body == "multipart" {
		r.Params = fields(s.Multipart)
	}
	if len(s.HMACSecrets) > 0 {
		r.Secrets = make(map[string]string, len(s.HMACSecrets))
		for _, secret := range s.HMACSecrets {
			r.Secrets[secret.Name] = secret.Secret.Value()
		}
	}
	if s.Auth.JWT != nil {
		r.Claims = string(s.Auth.JWT.Claims)
	}
	if s.Mappings {
		r.Mappings = make(map[string]string, len(c.Mappings))
		for _, m := range c.Mappings {
			r.Mappings[m.From] = m.To
		}
	}
	return r
}

func soap(s *config.Service) *render.SOAP {
	if s.SOAP == nil {
		return nil
	}
	r := &render.SOAP{
		Version: s.SOAP.Version, Style: s.SOAP.Style, Operation: s.SOAP.Operation,
		Namespace: s.SOAP.Namespace, Action: s.SOAP.Action, Header: s.SOAP.Header,
		Body: s.SOAP.Body, Params: fields(s.SOAP.Params),
	}
	if auth := s.Auth.WSSE; auth != nil {
		r.User, r.Password, r.Digest = auth.User, auth.Password.Value(), auth.Digest
	}
	return r
}

func fields(list []config.Field) []render.Field {
	r := make([]render.Field, len(list))
	for i, f := range list {
		r[i] = render.Field{Name: f.Name, Value: f.Value}
		if f.Secret.Set() { // no template: each # is one
			r[i].Value = strings.ReplaceAll(f.Secret.Value(), "#", "##")
		}
	}
	return r
}
