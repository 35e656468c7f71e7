@echo off
rem Installs, upgrades or removes the app agent: double-click it, or type install.bat /? for the
rem rest. Needs the files beside it. confd.exe does the work, since a batch file cannot tell whether
rem its steps have worked.

setlocal EnableExtensions DisableDelayedExpansion
set "wait="
if "%~1"=="" call :see_who_asks
if not exist "%~dp0confd.exe" goto :incomplete
if exist "%~dp0cmd.info.toml" goto :work

rem The installed copy removes itself, and cmd looks for a batch file again after each of its lines.
rem Another one takes over here, without call: cmd does not come back from it.
>"%TEMP%\app-agent-install.bat" echo @"%~dp0confd.exe" -setup %wait% %*
"%TEMP%\app-agent-install.bat"

rem One line, which is read before it begins: this file may be replaced by it.
:work
"%~dp0confd.exe" -setup %wait% %* & if errorlevel 1 (exit /b 1) else if errorlevel 0 (exit /b 0) else exit /b 1

:incomplete
echo install.bat: confd.exe is not beside this file: unpack the whole archive first 1>&2
if defined wait pause
exit /b 1

rem A double click starts   cmd /c ""PATH\install.bat" "   and "Run as administrator"   cmd /C
rem "PATH\install.bat" followed by a blank. The window closes at the end of those, so that nobody
rem would see what happened.
:see_who_asks
setlocal EnableDelayedExpansion
set "line=!cmdcmdline!"
if not defined line exit /b 0
set "line=!line:"=#!"
if "!line:install.bat#=!"=="!line!" exit /b 0
if not "!line:~-2!"=="# " if not "!line:~-2!"==" #" exit /b 0
endlocal
set "wait=/wait"
exit /b 0
