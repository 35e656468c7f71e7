@echo off
rem Installs, upgrades or removes the app agent: double-click it, or type install.bat /? for the rest. Needs the files beside it.
rem The work is done by confd.exe, since a batch file cannot tell whether its steps have worked.

setlocal EnableExtensions DisableDelayedExpansion
set "wait="
if "%~1"=="" call :see_who_asks
if not exist "%~dp0confd.exe" goto :incomplete
rem One line, which is read before it begins: this file may be replaced or removed by it.
"%~dp0confd.exe" -setup %wait% %* & if errorlevel 1 (exit /b 1) else if errorlevel 0 (exit /b 0) else exit /b 1

:incomplete
echo install.bat: confd.exe is not beside this file: unpack the whole archive first 1>&2
if defined wait pause
exit /b 1

rem A double click starts   cmd /c ""PATH\install.bat" "   and "Run as administrator"   cmd /C "PATH\install.bat" followed by a blank.
rem The window closes at the end of those: then somebody is to see what happened.
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
