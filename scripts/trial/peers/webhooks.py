# A receiver that verifies signatures with PyPI's standardwebhooks: ADDRESS SECRET.
# It says of each request whether it was verified, and whether a forged one is.
import http.server
import json
import sys

from standardwebhooks.webhooks import Webhook

host, port = sys.argv[1].rsplit(":", 1)
webhook = Webhook(sys.argv[2])


def verified(body, headers):
    try:
        return webhook.verify(body, headers) is not None
    except Exception:
        return False


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        good = verified(body, headers) and not verified(body + " ", headers)
        print(json.dumps({"id": headers["webhook-id"], "text": json.loads(body)["agent"], "good": good}), flush=True)
        self.send_response(204)
        self.end_headers()


http.server.HTTPServer((host, int(port)), Receiver).serve_forever()
