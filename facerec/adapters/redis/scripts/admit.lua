-- with: admission_shared
-- An image is at the front door. ARGV: owner, p, hash, name. Returns {state, ticket}.
local _, p, hash, name = unpack(ARGV)
return {admitted(p, hash, name)}
