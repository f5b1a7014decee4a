/// One `#[tokio::test]` for each check of the kit, of a subject that is made by an expression.
///
/// The tests are named after the checks: `pending::it_is_cancel_safe`. A check that is skipped says so, with
/// the reason, on standard error, past the capture of the test harness.
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
