"""A raw route refuses dependencies at start-up, wherever they are declared."""

from collections.abc import Callable
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response

from app.producer.routing.raw_route import RawRoute, refuse_dependencies
from app.producer.routing.strict_route import StrictRoute


def unauthorized() -> None:
    raise HTTPException(401)


CHECK = [Depends(unauthorized)]


async def endpoint(request: Request) -> Response:
    return Response()


async def dependent(request: Request, checked: Annotated[None, Depends(unauthorized)]) -> Response:
    return Response()


def router(route_class: type, path: str = "/raw") -> APIRouter:
    made = APIRouter(route_class=route_class)
    made.post(path)(endpoint)
    return made


def of_the_route(route_class: type) -> FastAPI:
    app, made = FastAPI(), APIRouter(route_class=route_class)
    made.post("/raw", dependencies=CHECK)(endpoint)
    app.include_router(made)
    return app


def of_the_endpoint(route_class: type) -> FastAPI:
    app, made = FastAPI(), APIRouter(route_class=route_class)
    made.post("/raw")(dependent)
    app.include_router(made)
    return app


def of_the_router(route_class: type) -> FastAPI:
    app, made = FastAPI(), APIRouter(route_class=route_class, dependencies=CHECK)
    made.post("/raw")(endpoint)
    app.include_router(made)
    return app


def of_the_include(route_class: type) -> FastAPI:
    app = FastAPI()
    app.include_router(router(route_class), dependencies=CHECK)
    return app


def of_an_outer_router(route_class: type) -> FastAPI:
    app, outer = FastAPI(), APIRouter(dependencies=CHECK)
    outer.include_router(router(route_class), prefix="/v1")
    app.include_router(outer)
    return app


def of_the_application(route_class: type) -> FastAPI:
    app = FastAPI(dependencies=CHECK)
    app.include_router(router(route_class))
    return app


PLACES = [
    of_the_route,
    of_the_endpoint,
    of_the_router,
    of_the_include,
    of_an_outer_router,
    of_the_application,
]


@pytest.mark.parametrize("place", PLACES)
def test_a_raw_route_with_a_dependency_is_refused(place: Callable[[type], FastAPI]) -> None:
    with pytest.raises(TypeError, match=r"/raw is a RawRoute.*middleware/stack\.py"):
        refuse_dependencies(place(RawRoute))


@pytest.mark.parametrize("place", PLACES)
def test_another_route_may_have_the_same_dependency(place: Callable[[type], FastAPI]) -> None:
    refuse_dependencies(place(StrictRoute))


def test_a_raw_route_without_dependencies_is_accepted() -> None:
    app = FastAPI()
    app.include_router(router(RawRoute))
    app.include_router(router(StrictRoute, "/strict"), dependencies=CHECK)

    refuse_dependencies(app)
