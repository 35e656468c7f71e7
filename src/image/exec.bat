@rem Runs the command of the platform that stands in log\cmd.info as ID:COMMAND; confd calls this after that file changed. Each ID is
@rem started once and never again. The command's output goes to log\app.log; its start and end go to log\cmd.log. No time limit,
@rem unless log\cmd.timeout holds a number of seconds. Exit: 0 when there was nothing to do or the command succeeded, else 1.
@rem No batch file can read any command unharmed, so confd itself does it. One line: an upgrade may replace this file meanwhile.
@"%~dp0confd.exe" -errand & if errorlevel 1 (exit /b 1) else if errorlevel 0 (exit /b 0) else exit /b 1
