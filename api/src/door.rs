//! The door that dashboards, operators and schedulers come in by.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use keyway_domain::RequestId;
use keyway_http::{Connection, Door, Misdirected};
use keyway_telemetry::Home;
use tower_service::Service;
use warp::{Filter, Reply};

use crate::{app::App, code::Code, error::ApiError, published, service};

/// The body of the API's answers.
pub type ApiBody = <warp::reply::Response as IntoBody>::Body;

/// Opens a door of this API, which answers in the runtime that this is called in: its requests ask the database.
pub fn door(app: Arc<App>) -> impl Door<Body = ApiBody> {
    ApiDoor { routes: service::routes(Arc::clone(&app)), app, home: Home::here() }
}

/// Refuses a request whose head is larger than so many bytes.
#[must_use]
pub fn refuse_head(most_bytes: usize) -> Response<ApiBody> {
    let message = format!("the request's headers are larger than the {most_bytes} bytes that are allowed");
    refused(ApiError::new(Code::HeadersTooLarge, message))
}

/// Refuses a request that is for nobody here.
#[must_use]
pub fn refuse_target(why: Misdirected) -> Response<ApiBody> {
    refused(match why {
        Misdirected::Method => ApiError::new(Code::MethodNotAllowed, "there are no tunnels here"),
        Misdirected::Target => ApiError::new(
            Code::InvalidParameter,
            "the request's target has to be a path, or a URL of this host with one",
        ),
        Misdirected::Host => {
            ApiError::new(Code::InvalidParameter, "a request needs one `Host` header, which names a host")
        }
    })
}

/// Hands requests to the routes.
struct ApiDoor<F> {
    routes: F,
    app: Arc<App>,
    home: Home,
}

impl<F> Door for ApiDoor<F>
where
    F: Filter<Extract = (warp::reply::Response,), Error = Infallible> + Clone + Send + Sync + 'static,
{
    type Body = ApiBody;

    fn of_loop(&self) -> Self {
        Self { routes: self.routes.clone(), app: Arc::clone(&self.app), home: self.home.clone() }
    }

    async fn answer(&self, mut request: Request<Incoming>, connection: &Connection) -> Response<ApiBody> {
        if let Some(response) = published::warm(&self.app.published, &request) {
            return response;
        }
        request.extensions_mut().insert(service::CameOn(connection.clone()));
        let mut routes = warp::service(self.routes.clone());
        let answered = self.home.run("management request", async move { routes.call(request).await }).await;
        match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => refused(ApiError::new(Code::Internal, "something went wrong in Keyway")),
        }
    }
}

fn refused(error: ApiError) -> Response<ApiBody> {
    let mut response: Response<Bytes> = error.into_response(RequestId::new());
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response.into_response()
}

/// Stands for the body type that warp does not export.
#[doc(hidden)]
pub trait IntoBody {
    /// The body.
    type Body;
}

impl<B> IntoBody for Response<B> {
    type Body = B;
}
