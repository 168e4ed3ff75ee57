-- with: admission_shared
-- Both in one step: an image is at the front door, and unless it is done its job is about to be published.
-- ARGV: owner, p, hash, name, queued_at. Returns {state before, ticket}.
local owner, p, hash, name, queued_at = unpack(ARGV)
local state, ticket = admitted(p, hash, name)
if state ~= 'done' then queue(owner, p, hash, name, ticket, queued_at) end
return {state, ticket}
