//! The end of a program.

use shared::failure::Failure;
use shared::printer::Printer;
use std::process::ExitCode;

/// Runs a program whose command line is parsed, and turns a failure into its message and exit code. What `printer` takes from the command
/// line prints; without one, failures of parsing are printed as people read them.
///
/// ```
/// use shared::failure::Failure;
/// use shared::printer::Printer;
/// use std::process::ExitCode;
///
/// let code = command_line::exit(Ok(3), |_| Printer::default(), |cores, _| {
///     assert_eq!(cores, 3);
///     Ok(ExitCode::SUCCESS)
/// });
/// assert_eq!(code, ExitCode::SUCCESS);
/// let wrong = || Failure::usage("--cores is not a number");
/// let code = command_line::exit(Err::<u32, Failure>(wrong()), |_| Printer::default(), |_, _| Ok(ExitCode::SUCCESS));
/// assert_eq!(code, wrong().kind.into());
/// ```
pub fn exit<P>(
    parsed: Result<P, Failure>,
    printer: impl FnOnce(&P) -> Printer,
    run: impl FnOnce(P, &Printer) -> Result<ExitCode, Failure>,
) -> ExitCode {
    let fail = |printer: &Printer, failure: &Failure| {
        printer.fail(failure);
        failure.kind.into()
    };
    match parsed {
        Ok(parsed) => {
            let printer = printer(&parsed);
            run(parsed, &printer).unwrap_or_else(|failure| fail(&printer, &failure))
        }
        Err(failure) => fail(&Printer::default(), &failure),
    }
}
