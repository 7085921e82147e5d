"""What is answered when a request cannot be served: JSON {"error": …} that a person can act on."""

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
    "oversized": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "undersized": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unseen": HTTPStatus.UNPROCESSABLE_ENTITY,
}


class RequestError(Exception):
    """The message goes to the person as it is."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers


def errors_as_json(app: FastAPI) -> None:
    """Every error of the application in the one form."""

    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestError)
        return to_response(error.status, str(error), error.headers)

    def no_picture(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ImageError)
        return to_response(STATUS[error.reason], f"the picture cannot be read: {error}")

    def broken_off(_: Request, __: Exception) -> JSONResponse:  # which nobody hears any more
        return to_response(HTTPStatus.BAD_REQUEST, "the connection broke off")

    def not_possible(_: Request, error: Exception) -> JSONResponse:
        return to_response(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    def not_found(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return to_response(error.status_code, error.detail.lower(), dict(error.headers or {}))

    def not_valid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        return to_response(HTTPStatus.UNPROCESSABLE_ENTITY, told)

    def failed(_: Request, __: Exception) -> JSONResponse:
        return to_response(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed over this; its log says why")

    app.add_exception_handler(Exception, failed)
    app.add_exception_handler(RequestError, refused)
    app.add_exception_handler(ImageError, no_picture)
    app.add_exception_handler(ClientDisconnect, broken_off)
    app.add_exception_handler(UserError, not_possible)
    app.add_exception_handler(HTTPException, not_found)
    app.add_exception_handler(RequestValidationError, not_valid)


def to_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)
