-- Any data in, any data out: more kinds of datastores, transfers by parts, uploads, volumes in buckets.

-- == Datastores

-- == Transfers: what was asked, what failed

-- == The journal of imports

-- == The journal of exports

-- == Uploads

-- == Volumes kept in buckets (storage type obs)
