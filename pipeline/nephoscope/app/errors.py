"""Errors as responses: JSON {"error": message}, with a message for the user."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from nephoscope.data.images import ImageError
from nephoscope.errors import UserError

STATUS = {
    "unreadable": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "truncated": HTTPStatus.UNPROCESSABLE_ENTITY,
    "damaged": HTTPStatus.UNPROCESSABLE_ENTITY,
    "oversized": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "undersized": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unseen": HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Reason of an ImageError → status"""


class RequestError(Exception):
    """A request that cannot be served; the message is sent to the user as it is."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


def add_error_handlers(app: FastAPI) -> None:
    """Make the application send every error as JSON."""
    app.add_exception_handler(Exception, _unexpected)
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(ImageError, _image_error)
    app.add_exception_handler(ClientDisconnect, _disconnect)
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)


def to_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


def _unexpected(_: Request, __: Exception) -> JSONResponse:
    return to_response(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed on this request; see its log")


def _request_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestError)
    return to_response(error.status, str(error), error.headers)


def _image_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ImageError)
    return to_response(STATUS[error.reason], f"the image cannot be read: {error}")


def _disconnect(_: Request, __: Exception) -> JSONResponse:
    """Handled only so that it is not logged as a failure; the client is gone."""
    return to_response(HTTPStatus.BAD_REQUEST, "the connection was closed")


def _user_error(_: Request, error: Exception) -> JSONResponse:
    return to_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return to_response(error.status_code, error.detail.lower(), dict(error.headers or {}))


def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = (f"{'.'.join(map(str, problem['loc'][1:]))}: {problem['msg']}" for problem in error.errors())
    return to_response(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(problems))
