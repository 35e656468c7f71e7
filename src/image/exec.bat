@rem Runs the platform's command that log\cmd.info holds as ID:COMMAND; confd calls this after that file has changed. Each ID is
@rem started at most once. Its output goes to log\app.log; its start and verdict go to log\cmd.log. There is no time limit unless
@rem log\cmd.timeout holds a number of seconds above 0. Exit code: 0 when there was nothing to do or the command succeeded, else 1.
@rem No batch file can read every command unharmed, so confd does it. An upgrade may replace or remove this file meanwhile: a goto
@rem without a label ends it, and the rest of the line was read before.
@(goto) 2>nul & "%~dp0confd.exe" -errand
