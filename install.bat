@echo off
rem Installs, upgrades or removes the app agent: double-click it, or type install.bat /? for the rest. Needs the files beside it.
rem confd.exe does the work, since a batch file cannot tell whether its steps have worked.

setlocal EnableExtensions DisableDelayedExpansion
set "wait="
if "%~1"=="" call :see_who_asks
if exist "%~dp0confd.exe" goto :work

echo install.bat: confd.exe is not beside this file: unpack the whole archive first 1>&2
if defined wait pause
exit /b 1

rem A double click starts   cmd /c ""PATH\install.bat" "   and "Run as administrator"   cmd /C "PATH\install.bat" followed by a blank.
rem The window closes at the end of those, so that nobody would see what happened.
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

rem The last line: this file may be replaced or removed by it. A goto without a label ends the batch file, so that cmd does not look
rem for it again; the rest of the line was read before, and its exit code is that of confd.exe.
:work
(goto) 2>nul & "%~dp0confd.exe" -setup %wait% %*
