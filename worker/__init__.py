"""The worker process: takes jobs from the broker, has their faces found, writes by the rule, acknowledges last."""
