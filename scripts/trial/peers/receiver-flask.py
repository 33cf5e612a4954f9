# A receiver as Flask's users write it: ADDRESS SECRET. The signature is checked by hand.
import hashlib
import hmac
import json
import sys

from flask import Flask, request

host, port = sys.argv[1].rsplit(":", 1)
app = Flask(__name__)


@app.post("/hook")
def hook():
    digest = hmac.new(sys.argv[2].encode(), request.get_data(), hashlib.sha256).hexdigest()
    good = hmac.compare_digest("sha256=" + digest, request.headers.get("X-Hub-Signature-256", ""))
    record = {"id": request.headers["Webhook-Id"], "text": request.get_json()["agent"], "good": good}
    sys.stdout.write(json.dumps(record) + "\n")  # in one piece: it has threads
    sys.stdout.flush()
    return {"ok": True}


app.run(host, int(port))
