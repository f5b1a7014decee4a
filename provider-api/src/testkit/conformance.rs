//! The macro that generates a test for each check.

/// Generates one `#[tokio::test]` for each check of the kit. The argument is an expression that creates the
/// [`Subject`](crate::testkit::Subject).
///
/// The tests have the names of the checks, such as `pending::it_is_cancel_safe`. A skipped check writes a
/// line `SKIPPED` with its reason to standard error, also when the test harness captures output.
///
/// ```text
/// provider_api::conformance!(MySubject::default());
/// ```
#[macro_export]
macro_rules! conformance {
    ($subject:expr) => {
        fn __subject() -> impl $crate::testkit::Subject {
            $subject
        }

        $crate::__testkit_checks! { [$crate::__testkit_tests] [] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __testkit_tests {
    ([] $exchange:ident $group:ident $file:ident [$($name:ident)* $(@ $more:ident $($rest:ident)*)*]) => {
        mod $group {
            $crate::__testkit_tests! { $group $($name)* $($($rest)*)* }
        }
    };
    ($group:ident $($name:ident)*) => {
        $(
            #[$crate::testkit::__tokio::test(crate = "provider_api::testkit::__tokio")]
            async fn $name() {
                $crate::testkit::demand(&super::__subject(), stringify!($group), stringify!($name)).await;
            }
        )*
    };
}
