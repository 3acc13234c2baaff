-- The trace (W3C traceparent) in which a transaction was made, and those which some of its events brought with them, by
-- the event's id: whoever is told of it by the outbox is told these too. Transactions of before have none.
alter table outbox add column traceparent text, add column traces jsonb;
