//! Headers that every answer carries.

use hyper::Response;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use super::Body;

/// What the page may load: only what comes from here, and no scripts in the document.
const PAGE_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self'; media-src 'self' blob:; \
    worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// What neither the page nor what is slipped into it may ask a browser for. Clipboard and
/// full screen are left as browsers have them: for this origin alone.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), \
    gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Sets them. What says nothing about caches is not kept in any.
pub(super) fn secure(response: &mut Response<Body>, over_tls: bool) {
    let headers = response.headers_mut();
    set(headers, CONTENT_SECURITY_POLICY, PAGE_POLICY);
    set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(headers, REFERRER_POLICY, "no-referrer");
    // What `frame-ancestors` says, for those that do not know it.
    set(headers, X_FRAME_OPTIONS, "DENY");
    set(headers, PERMISSIONS_POLICY, PERMISSIONS);
    set(headers, OPENER_POLICY, "same-origin");
    set(headers, RESOURCE_POLICY, "same-origin");
    if over_tls {
        set(headers, STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
