# Makes the package's /etc/relay/relay.toml from the commented example: with the
# package's paths, and with every example commented out, so that a fresh
# installation calls nobody. Works paragraph by paragraph.

/^$/ { flush(); print; next }

{
    sub(/go run \.\/relay run/, "systemctl start relay")
    sub(/^socket_group = ""          /, "socket_group = \"relay-send\"")
    place("run/relay.sock", "/run/relay/relay.sock")
    place("run/admin.sock", "/run/relay/admin.sock")
    place("run/queue", "/var/lib/relay/queue")
    place("run/recordings", "/var/lib/relay/recordings")
    place("run/secrets", "/var/lib/relay/secrets")
    line[++lines] = $0
    examples = examples || /everything is an example/
}

END { flush() }

# place puts a path in place of another, unless that stands within a longer one,
# and takes the room for it from the space before the comment.
function place(from, to,    at, head, tail, room) {
    if (!(at = match($0, "[\" ]" from))) return
    head = substr($0, 1, at) to
    tail = substr($0, at + 1 + length(from))
    for (room = length(to) - length(from); room > 0 && sub(/  #/, " #", tail); room--) ;
    $0 = head tail
}

# flush prints a paragraph. One of the examples is commented out from its first
# line that is no comment.
function flush(    i, out) {
    for (i = 1; i <= lines; i++) {
        out = out || (examples && line[i] !~ /^#/)
        print (out ? "# " : "") line[i]
    }
    lines = 0
}
