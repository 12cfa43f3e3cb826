import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Trains a model and asks it over AMQP, with RabbitMQ's own client: WarrenClient AMQP_URL DATASET_ID.
 */
public class WarrenClient implements AutoCloseable {
    static final int TRAIN_SECONDS = 600, PREDICT_SECONDS = 10;

    /** A reply says that a request failed: {@code type} is for programs, the message for people. */
    static class WarrenException extends RuntimeException {
        final String type;

        WarrenException(String type, String detail) {
            super(detail);
            this.type = type;
        }
    }

    private final Connection connection;
    private final Channel channel;
    private final String replyTo;
    private final Map<String, CompletableFuture<JsonObject>> pending = new ConcurrentHashMap<>();

    WarrenClient(String url) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        // The queue of replies gets another name after a reconnect. So connect again yourself.
        factory.setAutomaticRecoveryEnabled(false);
        connection = factory.newConnection();
        connection.addShutdownListener(cause ->
            pending.values().forEach(each -> each.completeExceptionally(cause)));
        channel = connection.createChannel();
        channel.confirmSelect();
        channel.addReturnListener((code, text, exchange, key, properties, body) -> {
            CompletableFuture<JsonObject> caller = pending.get(properties.getCorrelationId());
            if (caller != null) {
                caller.completeExceptionally(new IOException(text)); // no queue took the message
            }
        });
        replyTo = channel.queueDeclare().getQueue(); // exclusive, and gone with the connection
        channel.basicConsume(replyTo, true,
            (tag, delivery) -> take(delivery.getProperties(), delivery.getBody()), tag -> {});
    }

    /**
     * Returns the last reply to a training. If the connection is lost, connect again and call this
     * with the same {@code messageId}: it is still the same job, and its end is told again.
     */
    CompletableFuture<JsonObject> train(JsonObject body, String messageId) throws Exception {
        BasicProperties.Builder properties =
            new BasicProperties.Builder().messageId(messageId).deliveryMode(2);
        CompletableFuture<JsonObject> reply =
            send("queue.model.train", body, properties, TRAIN_SECONDS);
        channel.waitForConfirmsOrDie(10_000); // from here on the job is guaranteed
        return reply;
    }

    /** Returns the reply to a prediction. Nobody answers when nobody waits any more. */
    CompletableFuture<JsonObject> predict(JsonObject body) throws IOException {
        String expiration = Integer.toString(PREDICT_SECONDS * 1000);
        return send("queue.model.predict", body,
            new BasicProperties.Builder().expiration(expiration), PREDICT_SECONDS);
    }

    private CompletableFuture<JsonObject> send(
        String queue, JsonObject body, BasicProperties.Builder properties, int seconds)
        throws IOException {
        String id = UUID.randomUUID().toString();
        CompletableFuture<JsonObject> reply = new CompletableFuture<>();
        pending.put(id, reply);
        byte[] content = body.toString().getBytes(StandardCharsets.UTF_8);
        BasicProperties sent = properties.correlationId(id).replyTo(replyTo).build();
        channel.basicPublish("", queue, true, sent, content);
        return reply.orTimeout(seconds, TimeUnit.SECONDS)
            .whenComplete((body_, error) -> pending.remove(id));
    }

    private void take(BasicProperties properties, byte[] body) {
        CompletableFuture<JsonObject> caller = pending.get(properties.getCorrelationId());
        if (caller == null) {
            return; // nobody waits any more
        }
        JsonObject reply =
            JsonParser.parseString(new String(body, StandardCharsets.UTF_8)).getAsJsonObject();
        String status = reply.get("status").getAsString();
        if (status.equals("TASK_COMPLETED")) {
            caller.complete(reply);
        } else if (reply.has("error")) {
            JsonObject error = reply.getAsJsonObject("error");
            caller.completeExceptionally(new WarrenException(
                error.get("type").getAsString(), error.get("detail").getAsString()));
        } else if (!status.equals("TASK_RECEIVED")) {
            caller.completeExceptionally(new WarrenException("", "cancelled"));
        }
    }

    @Override
    public void close() throws IOException {
        connection.close();
    }

    private static JsonObject json(String text, Object... values) {
        return JsonParser.parseString(String.format(text.replace('\'', '"'), values))
            .getAsJsonObject();
    }

    public static void main(String[] arguments) throws Exception {
        try (WarrenClient client = new WarrenClient(arguments[0])) {
            String features = "{'dataset_id': '%s', 'features': ['bmi', 'bp'], 'target': 'target'}";
            JsonObject training = json(features, arguments[1]);
            JsonObject trained = client.train(training, UUID.randomUUID().toString()).join();
            String modelId = trained.get("model_id").getAsString();
            System.out.println("trained " + modelId);

            String asked = "{'model_id': '%s', 'input_data': {'bmi': %s, 'bp': %s}}";
            List<CompletableFuture<JsonObject>> replies = List.of(
                client.predict(json(asked, modelId, "0.06", "0.02")),
                client.predict(json(asked, modelId, "-0.04", "-0.02")));
            for (CompletableFuture<JsonObject> reply : replies) {
                System.out.println("predicted " + reply.join().get("prediction"));
            }
            try {
                client.predict(json(asked, modelId, "'high'", "0.02")).join();
            } catch (CompletionException error) {
                if (!(error.getCause() instanceof WarrenException refused)) {
                    throw error;
                }
                System.out.println("refused " + refused.type + ": " + refused.getMessage());
            }
        }
    }
}
