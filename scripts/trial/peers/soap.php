<?php
// The calls of calls.wsdl with PHP's own SoapServer, without a WSDL.
final class Calls
{
    public function RecordCall($callId, $agent)
    {
        file_put_contents('php://stdout', json_encode(['callId' => $callId, 'agent' => $agent]) . "\n");
        if (str_starts_with($callId, 'client')) {
            throw new SoapFault('Client', "no such call: $callId");
        }
        if (str_starts_with($callId, 'server') && @mkdir(getenv('FAILED') . "/$callId")) {
            throw new SoapFault('Server', 'try later');
        }
        return 'taken';
    }
}

$version = $_SERVER['REQUEST_URI'] === '/12' ? SOAP_1_2 : SOAP_1_1;
$server = new SoapServer(null, ['uri' => 'urn:example:calls', 'soap_version' => $version]);
$server->setClass('Calls');
$server->handle();
