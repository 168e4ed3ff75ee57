"""RabbitMQ behind the broker's ports. pika is imported in this package alone."""

from facerec.adapters.rabbitmq.consumer import RabbitConsumer
from facerec.adapters.rabbitmq.dead_letters import RabbitDeadLetters
from facerec.adapters.rabbitmq.publisher import RabbitJobPublisher
from facerec.adapters.rabbitmq.requester import RabbitRequester
from facerec.adapters.rabbitmq.topic_logs import TopicLogs

__all__ = ["RabbitConsumer", "RabbitDeadLetters", "RabbitJobPublisher", "RabbitRequester", "TopicLogs"]
