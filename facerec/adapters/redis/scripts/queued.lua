-- with: admission_shared
-- A job is about to be published. ARGV: owner, p, hash, name, ticket, queued_at.
return queue(unpack(ARGV))
