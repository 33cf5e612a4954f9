-- send.lua: one event to the relay, from a dialplan in Lua. Needs LuaSocket and
-- a JSON library (lua-cjson).
local cjson, unix = require "cjson", require "socket.unix"

-- send returns the id of an event once it is on disk, or nil and the reason.
local function send(event, path)
	local relay = unix()
	relay:settimeout(5)
	local ok, err = relay:connect(path or "/run/relay/relay.sock")
	if not ok then return nil, err end
	relay:send(cjson.encode(event) .. "\n")
	local line, failed = relay:receive("*l")
	relay:close()
	if not line then return nil, failed end
	local answer = cjson.decode(line)
	return answer.id, answer.error
end

if arg and arg[0] and arg[0]:match("send%.lua$") then -- lua send.lua SOCKET: an example
	print(send({ event = "disposition", queue = "support", uii = "42", agent_disposition = "SALE" }, arg[1]))
end

return send
