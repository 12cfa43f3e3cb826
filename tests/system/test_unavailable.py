"""What callers are told while a part is away, and how all goes on when it is back."""

from concurrent.futures import ThreadPoolExecutor

import httpx2

from app.amqp.topology import DEAD_LETTER_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from devstack.demo import ROW, TRAIN
from devstack.rabbitmq import Broker
from tests.system.support.client import is_problem, job, predict, reached, train, trained, upload
from tests.system.support.processes import CONSUMER, Stack, consumes, until

ASK = {"model_id": "latest", "input_data": ROW}


def is_unavailable(answer: httpx2.Response) -> str:
    """Check for a 503 that says when to come again; return the kind of the problem."""
    problem = is_problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    return str(problem["type"])


def test_a_training_nobody_took_is_queued_until_a_consumer_comes(stack: Stack) -> None:
    _, http = stack.producer(TRAIN_WAIT="0.2")
    upload(http)
    accepted = http.post("/train", json=TRAIN)
    assert accepted.status_code == 202
    message = accepted.json()["message"]
    assert message["status"] == "TASK_QUEUED"
    good = message["model_id"]
    # Only a consumer knows scikit-learn's parameters, so here the job tells.
    bad = train(http, params={"trees": 3})
    for queued in (good, bad):
        assert (job(http, queued)["state"], job(http, queued)["attempt"]) == ("TASK_QUEUED", 0)
    until(lambda: stack.waiting(TRAIN_QUEUE) >= 2, "each job has its message")  # or one too many
    assert is_problem(http.get(f"/models/{good}"), 409)["state"] == "TASK_QUEUED"

    stack.consumer()
    reached(http, good, "TASK_COMPLETED")
    error = reached(http, bad, "TASK_ERROR")["error"]
    assert error["field"] == "params.trees"
    assert "n_estimators" in error["allowed"]


def test_a_prediction_nobody_answers_is_a_504_and_its_message_expires(stack: Stack) -> None:
    _, http = stack.producer(PREDICT_TIMEOUT="5")
    with ThreadPoolExecutor() as threads:
        asked = threads.submit(http.post, "/predict", json=ASK)
        until(lambda: stack.waiting(PREDICT_QUEUE) == 1, "the message is in the queue")
        problem = is_problem(asked.result(), 504)
    assert problem["type"] == "deadline_exceeded"
    assert "within 5 s" in problem["detail"]
    until(lambda: stack.waiting(PREDICT_QUEUE) == 0, "the message is gone")
    assert stack.waiting(DEAD_LETTER_QUEUE) == 0


def test_without_its_queue_a_prediction_is_a_503_until_a_consumer_declares_it(stack: Stack) -> None:
    _, http = stack.producer()
    upload(http)

    def delete(*queues: str) -> None:
        with stack.amqp() as connection:
            for queue in queues:
                connection.channel().queue_delete(queue)

    delete(PREDICT_QUEUE)
    assert is_unavailable(http.post("/predict", json=ASK)) == "unroutable"

    consumer = stack.consumer()
    model_id = trained(http)

    delete(
        TRAIN_QUEUE, PREDICT_QUEUE
    )  # under a running consumer, which is told and declares them again
    consumer.says(" consuming queue.model.", times=3 * 2 + 1 + 2 * 2)
    assert predict(http, model_id)["status"] == "TASK_COMPLETED"
    trained(http)


def test_while_the_broker_is_away_callers_are_told_at_once_and_then_all_works_again(
    stack: Stack, broker: Broker
) -> None:
    # Whoever is not told at once waits for longer than the client does.
    _, http = stack.producer(TRAIN_WAIT="0.2", PREDICT_TIMEOUT="600")
    upload(http)
    queued = train(http)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(http.post, "/predict", json=ASK)
        until(lambda: stack.waiting(PREDICT_QUEUE) == 1, "the caller waits")
        broker.stop()
        try:
            assert is_unavailable(waiting.result()) == "broker_unavailable"
            assert is_unavailable(http.post("/predict", json=ASK)) == "broker_unavailable"
            accepted = train(http)
            assert {job(http, each)["state"] for each in (queued, accepted)} == {"TASK_QUEUED"}
            health = http.get("/health/all")
            assert health.status_code == 503
            states = {name: each["status"] for name, each in health.json()["checks"].items()}
            assert (states["broker"], states["s3"], states["database"]) == ("ng", "ok", "ok")

            early = stack.start(CONSUMER)
            early.says("again in", times=4)  # each of its threads keeps trying
        finally:
            broker.start()
    consumes(early, threads=2)
    until(lambda: http.get("/health/all").is_success, "all is well")
    for each in (queued, accepted):
        assert reached(http, each, "TASK_COMPLETED")["attempt"] == 1
    assert predict(http, trained(http))["status"] == "TASK_COMPLETED"
    assert stack.waiting(DEAD_LETTER_QUEUE) == 0


def test_without_s3_or_database_a_request_is_a_503(stack: Stack) -> None:
    _, http = stack.producer(AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert is_unavailable(http.get("/datasets")) == "storage_unavailable"
    assert is_unavailable(http.put("/datasets/a", content="a\n1\n")) == "storage_unavailable"
    assert is_unavailable(http.post("/train", json=TRAIN)) == "storage_unavailable"
    _, http = stack.producer()
    upload(http)
    _, http = stack.producer(DATABASE_URL="sqlite:////nowhere/warren.db")
    assert is_unavailable(http.get("/jobs")) == "database_unavailable"
    assert is_unavailable(http.put("/datasets/a", content="a\n1\n")) == "database_unavailable"
    assert is_unavailable(http.post("/train", json=TRAIN)) == "database_unavailable"
    assert stack.waiting(TRAIN_QUEUE) == 0
