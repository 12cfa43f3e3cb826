<?php
// Train a model and ask it over AMQP, with php-amqplib: php client.php AMQP_URL DATASET_ID

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPTimeoutException;
use PhpAmqpLib\Message\AMQPMessage;

// Debian's package; with Composer it is vendor/autoload.php.
require 'PhpAmqpLib/autoload.php';

const TRAIN_SECONDS = 600, PREDICT_SECONDS = 10;

/** A reply says that a request failed: `type` is for programs, the message for people. */
final class WarrenException extends RuntimeException
{
    public function __construct(public readonly string $type, string $detail)
    {
        parent::__construct($detail);
    }
}

final class Client
{
    private AMQPStreamConnection $connection;
    private AMQPChannel $channel;
    private string $replyTo;
    /** @var array<string, list<array<string, mixed>>> the replies by correlation id */
    private array $replies = [];

    public function __construct(string $url)
    {
        $of = array_map(rawurldecode(...), array_map(strval(...), parse_url($url)));
        $vhost = substr($of['path'] ?? '/%2F', 1);
        $this->connection = new AMQPStreamConnection(
            $of['host'], (int) ($of['port'] ?? 5672), $of['user'], $of['pass'], $vhost,
            heartbeat: 60,
        );
        $this->channel = $this->connection->channel();
        $this->channel->confirm_select();
        $this->channel->set_return_listener(function ($code, $text): never {
            throw new RuntimeException($text); // no queue took the message
        });
        // A queue for replies, which is gone with the connection.
        [$this->replyTo] = $this->channel->queue_declare('', exclusive: true);
        $this->channel->basic_consume($this->replyTo, no_ack: true, callback: $this->take(...));
    }

    /**
     * Returns the last reply to a training. If the connection is lost, connect again and call this
     * with the same $messageId: it is still the same job, and its end is told again.
     */
    public function train(array $body, string $messageId): array
    {
        $asked = $this->send('queue.model.train', $body, [
            'message_id' => $messageId,
            'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
        ]);
        $this->channel->wait_for_pending_acks_returns(10); // from here on the job is guaranteed
        return $this->wait($asked, TRAIN_SECONDS);
    }

    /** Returns the replies to predictions that are all under way at the same time. */
    public function predict(array ...$bodies): array
    {
        // Nobody answers when nobody waits any more.
        $properties = ['expiration' => (string) (PREDICT_SECONDS * 1000)];
        $asked = array_map(fn ($body) => $this->send('queue.model.predict', $body, $properties), $bodies);
        return array_map(fn ($each) => $this->wait($each, PREDICT_SECONDS), $asked);
    }

    public function close(): void
    {
        $this->connection->close();
    }

    private function send(string $queue, array $body, array $properties): string
    {
        $asked = bin2hex(random_bytes(16));
        $this->replies[$asked] = [];
        $properties += ['correlation_id' => $asked, 'reply_to' => $this->replyTo];
        $message = new AMQPMessage(json_encode($body, JSON_THROW_ON_ERROR), $properties);
        $this->channel->basic_publish($message, '', $queue, mandatory: true);
        return $asked;
    }

    private function take(AMQPMessage $reply): void
    {
        $asked = $reply->get('correlation_id');
        if (isset($this->replies[$asked])) { // of others, nobody waits any more
            $this->replies[$asked][] = json_decode($reply->getBody(), true, flags: JSON_THROW_ON_ERROR);
        }
    }

    private function wait(string $asked, int $seconds): array
    {
        $deadline = microtime(true) + $seconds;
        try {
            while (true) {
                foreach ($this->replies[$asked] as $reply) {
                    if ($reply['status'] === 'TASK_COMPLETED') {
                        return $reply;
                    }
                    if ($reply['status'] !== 'TASK_RECEIVED') {
                        $error = $reply['error'] ?? ['type' => '', 'detail' => 'cancelled'];
                        throw new WarrenException($error['type'], $error['detail']);
                    }
                }
                $left = $deadline - microtime(true);
                if ($left <= 0) {
                    throw new AMQPTimeoutException("no reply within $seconds s");
                }
                $this->channel->wait(timeout: $left);
            }
        } finally {
            unset($this->replies[$asked]);
        }
    }
}

[, $url, $datasetId] = $argv;
$client = new Client($url);
$training = ['dataset_id' => $datasetId, 'features' => ['bmi', 'bp'], 'target' => 'target'];
$modelId = $client->train($training, bin2hex(random_bytes(16)))['model_id'];
echo "trained $modelId\n";
$rows = [['bmi' => 0.06, 'bp' => 0.02], ['bmi' => -0.04, 'bp' => -0.02]];
$asked = array_map(fn ($row) => ['model_id' => $modelId, 'input_data' => $row], $rows);
foreach ($client->predict(...$asked) as $reply) {
    echo 'predicted ', json_encode($reply['prediction']), "\n";
}
try {
    $client->predict(['model_id' => $modelId, 'input_data' => ['bmi' => 'high', 'bp' => 0.02]]);
} catch (WarrenException $error) {
    echo "refused $error->type: {$error->getMessage()}\n";
}
$client->close();
