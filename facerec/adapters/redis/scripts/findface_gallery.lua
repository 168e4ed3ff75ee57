-- with: findface_shared
-- Make or remove a gallery, in a step that does not grow with it. ARGV: p, 'add' or 'remove', name.
-- Returns 'ok', 'exists', 'unknown', or 'unfinished' when an earlier removal must be finished first.
-- A removed gallery is gone for everybody at once, and its faces stay in 'default'. Its set lives on under another key: until
-- findface_unlist.lua has been at a face, the face's field names a gallery that it is in no more.
local p, what, name = unpack(ARGV)
local known = redis.call('ZSCORE', p .. 'galleries', name)
if what == 'add' then
  if known then return 'exists' end
  redis.call('ZADD', p .. 'galleries', string.format('%.0f', redis.call('INCR', 'gallery')), name)
  return 'ok'
end
-- One key for each name: what is in it must not be overwritten.
if redis.call('EXISTS', removed_key(p, name)) == 1 then return 'unfinished' end
if not known then return 'unknown' end
local key = gallery_key(p, name)
if redis.call('EXISTS', key) == 1 then redis.call('RENAME', key, removed_key(p, name)) end
redis.call('ZREM', p .. 'galleries', name)
redis.call('UNLINK', key .. ':metas', key .. ':log')
-- The version goes on counting: a worker that knew the old gallery must not take a new one of this name for it.
redis.call('HINCRBY', p .. 'gallery:versions', name, 1)
return 'ok'
