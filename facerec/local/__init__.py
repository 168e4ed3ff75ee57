"""The service on one machine without containers: private Redis and RabbitMQ, REST and a worker as background processes."""
