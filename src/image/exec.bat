@rem Runs the platform's command that log\cmd.info holds as ID:COMMAND; confd calls this after that
@rem file has changed. Each ID is started at most once. Its output goes to log\app.log; its start
@rem and verdict go to log\cmd.log. There is no time limit unless log\cmd.timeout holds a number of
@rem seconds above 0. Exit code: 0 when there was nothing to do or the command succeeded, else 1. No
@rem batch file can read every command unharmed, so confd does it. One line: an upgrade may replace
@rem this file meanwhile.
@"%~dp0confd.exe" -cmd-info & if errorlevel 1 (exit /b 1) else if errorlevel 0 (exit /b 0) else exit /b 1
