-- with: contacts_shared
-- Ids for faces of contacts that are new. ARGV: how many, at least 1. Returns the first; the others follow.
local first = new_id('contacts:face')
redis.call('INCRBY', 'contacts:face', ARGV[1] - 1)
return first
